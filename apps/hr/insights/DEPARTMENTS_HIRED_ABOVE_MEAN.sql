-- Departments that hired more employees in a year than the mean of all departments, most first.
-- Departments that hired nobody count in the mean.
--
-- parameter year integer = 2021: year of hiring
-- column id integer: number of the department
-- column department text: name of the department
-- column hired bigint: employees hired in the year
-- table departments
-- table hired_employees
with hires as (
  select d.id, d.department, count(e.id) as hired
  from departments d
  left join hired_employees e on e.department_id = d.id and extract(year from e.datetime) = :year
  group by d.id, d.department
)
-- More than the mean, without a division that would round: hired > total / departments.
select id, department, hired
from hires
where hired * (select count(*) from hires) > (select sum(hired) from hires)
order by hired desc, id
